//! What ships with the program agrees with it: board profiles, their pipelines, the manual, the Debian
//! package and the Yocto layer.

mod boards;
mod firmware;
mod manual;
mod package;
mod pipelines;
mod yocto;

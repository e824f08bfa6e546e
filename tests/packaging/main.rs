//! What ships with the program agrees with it: board profiles, their pipelines, the manual, the Debian
//! package and the Yocto layer; and the scripts that check it all say what a machine lacks.

mod boards;
mod firmware;
#[path = "../support/generated.rs"]
mod generated;
mod manual;
mod package;
mod pipelines;
#[path = "../support/programs.rs"]
mod programs;
mod scripts;
mod sticks;
mod yocto;

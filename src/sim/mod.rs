//! Simulated counterparts that ship with the product: for `demo`, dry runs and tests.

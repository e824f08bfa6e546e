//! Whether the program was started with the machine or restarted, and how often it has ended by itself
//! recently, so that one that cannot run does not wear out the machine. Both are kept in the service's
//! runtime folder, which is in memory and gone at power-off.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::limits::{BOOT, RESTART_WAIT_FIRST, RESTART_WAIT_MAX, RESTARTS_FREE};

/// The count's name in the runtime folder.
const NAME: &str = "restarts";
/// The file there that says that the program has run since power-up.
const RAN: &str = "ran";

/// Whether this is the first run since power-up; asked once by each run. `runtime_folder` is the value
/// of `RUNTIME_DIRECTORY`; without a service manager the machine's uptime decides.
pub fn is_power_up(runtime_folder: Option<&str>) -> bool {
    match runtime_folder.and_then(|folders| folders.split(':').next()) {
        // Where nothing can be marked, the next run would look like the first one as well.
        Some(folder) => fs::File::create_new(Path::new(folder).join(RAN)).is_ok(),
        None => uptime(&fs::read_to_string("/proc/uptime").unwrap_or_default()) < Some(BOOT),
    }
}

/// The time since power-up in `/proc/uptime` (proc_uptime(5)).
fn uptime(text: &str) -> Option<Duration> {
    let seconds = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The count of runs that did not end in an orderly way.
#[derive(Debug)]
pub struct Restarts {
    file: PathBuf,
    before: u32,
}

impl Restarts {
    /// Counts this run as one that might fail. `runtime_folder` is the value of `RUNTIME_DIRECTORY`;
    /// without a service manager nothing is counted.
    pub fn count(runtime_folder: Option<&str>) -> Option<Restarts> {
        let folder = runtime_folder?.split(':').next()?;
        let file = Path::new(folder).join(NAME);
        let before =
            fs::read_to_string(&file).ok().and_then(|n| n.trim().parse().ok()).unwrap_or(0_u32);
        let restarts = Restarts { file, before };
        if let Err(error) = fs::write(&restarts.file, before.saturating_add(1).to_string()) {
            tracing::debug!(%error, "restarts are not counted");
        }
        Some(restarts)
    }

    /// Whether the run before did not end in an orderly way, a moment ago.
    pub fn has_failed(&self) -> bool {
        self.before > 0
    }

    /// How long to wait before anything else.
    pub fn wait(&self) -> Duration {
        wait_after(self.before)
    }

    /// Resets the count: the run lasted long enough, or has ended in an orderly way.
    pub fn forget(&self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// The first few restarts are at once; from then on each waits twice as long as the one before.
fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(RESTARTS_FREE) {
        None => Duration::ZERO,
        Some(more) => {
            let factor = 2_u32.saturating_pow(more);
            RESTART_WAIT_FIRST.saturating_mul(factor).min(RESTART_WAIT_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restarts_are_at_once_and_later_ones_wait_longer_up_to_a_bound() {
        let waits: Vec<u64> = (0..9).map(|failures| wait_after(failures).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(wait_after(u32::MAX), RESTART_WAIT_MAX);
    }

    #[test]
    fn one_run_is_the_first_since_power_up_however_often_the_program_is_started() {
        let folder = std::env::temp_dir().join(format!("firstmile-ran-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let run = || is_power_up(Some(folder.to_str().unwrap()));
        assert_eq!([run(), run(), run()], [true, false, false]);
        Restarts::count(folder.to_str()).unwrap().forget();
        assert!(!run(), "an orderly run is a run");
        fs::remove_dir_all(&folder).unwrap();
        assert!(!run(), "a folder that cannot be written remembers nothing");
    }

    #[test]
    fn the_uptime_is_the_first_number_of_the_kernel_s() {
        assert_eq!(uptime("35.12 70.01\n"), Some(Duration::from_millis(35_120)));
        assert_eq!((uptime(""), uptime("-1 0"), uptime("soon")), (None, None, None));
    }

    #[test]
    fn runs_are_counted_until_one_lasts() {
        let folder =
            std::env::temp_dir().join(format!("firstmile-restarts-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let name = folder.to_str().unwrap();
        let run = || Restarts::count(Some(name)).unwrap();
        assert_eq!((run().before, run().before, run().before), (0, 1, 2));
        assert!(run().has_failed());
        run().forget();
        assert!(!run().has_failed());
        run().forget();
        assert_eq!(run().before, 0);
        fs::write(folder.join(NAME), "many").unwrap();
        assert_eq!(run().before, 0, "a torn file is no reason to wait");
        assert!(Restarts::count(None).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}

//! What does the system say of a process of this machine? `/proc`, in the words of Prometheus' client libraries.

use std::fs;
use std::path::PathBuf;

use rustix::param::{clock_ticks_per_second, page_size};

use super::exposition::Series;

/// Which process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// By its number.
    Number(u32),
    /// Whose number stands in this file now.
    File(PathBuf),
}

impl Process {
    /// A number, or else the name of a file.
    pub(super) fn read(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::File(text.into()), Self::Number)
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Number(number) => format!("process {number}"),
            Self::File(path) => format!("the process of {}", path.display()),
        }
    }

    /// What it uses.
    ///
    /// # Errors
    /// There is no such process.
    pub(super) fn look(&self) -> Result<Vec<Series>, String> {
        let number = match self {
            Self::Number(number) => *number,
            Self::File(path) => {
                let text =
                    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let number = text.trim().parse();
                number.map_err(|_| format!("{}: expected the number of a process", path.display()))?
            }
        };
        let of = |file: &str| format!("/proc/{number}/{file}");
        let stat = fs::read_to_string(of("stat")).map_err(|_| format!("there is no process {number}"))?;
        let mut all = of_stat(&stat).ok_or_else(|| format!("{} cannot be read", of("stat")))?;
        // These two are for its owner alone.
        if let Ok(descriptors) = fs::read_dir(of("fd")) {
            all.push(Series::plain("process_open_fds", descriptors.count() as f64));
        }
        if let Ok(io) = fs::read_to_string(of("io")) {
            all.extend(of_io(&io));
        }
        Ok(all)
    }
}

/// proc(5): CPU in ticks, memory in pages, the start in ticks since the machine began. None when it is not as it should be.
fn of_stat(stat: &str) -> Option<Vec<Series>> {
    // The name of the program is in brackets, and may have some.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    // The first one behind the name is number 3 in proc(5).
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let seconds = |ticks: f64| ticks / clock_ticks_per_second() as f64;
    Some(vec![
        Series::plain("process_cpu_seconds_total", seconds(field(14)? + field(15)?)),
        Series::plain("process_resident_memory_bytes", field(24)? * page_size() as f64),
        Series::plain("process_start_time_seconds", seconds(field(22)?)),
    ])
}

/// What it read from storage and wrote to it.
fn of_io(io: &str) -> impl Iterator<Item = Series> {
    let names = [
        ("read_bytes: ", "process_disk_read_bytes_total"),
        ("write_bytes: ", "process_disk_written_bytes_total"),
    ];
    names.into_iter().filter_map(|(key, name)| {
        let value = io.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok()?;
        Some(Series::plain(name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let all = Process::read(&std::process::id().to_string()).look().unwrap();
        let value = |name: &str| all.iter().find(|series| series.name == name).map(|series| series.value);
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let rss: f64 = rss.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0;
        let read = value("process_resident_memory_bytes").unwrap();
        assert!((read - rss).abs() < 4e6, "{read} and {rss}");
        assert!(value("process_cpu_seconds_total").unwrap() >= 0.0);
        assert!(value("process_open_fds").unwrap() >= 3.0);
        assert!(value("process_start_time_seconds").unwrap() > 0.0);
    }

    #[test]
    fn the_name_of_a_program_may_be_anything() {
        let stat =
            "7 (a) R (b) S 1 7 7 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 1 0 1000 4096 3 18446744073709551615";
        let all = of_stat(stat).unwrap();
        let ticks = clock_ticks_per_second() as f64;
        assert_eq!(all[0], Series::plain("process_cpu_seconds_total", 400.0 / ticks));
        assert_eq!(all[1], Series::plain("process_resident_memory_bytes", 3.0 * page_size() as f64));
        assert_eq!(all[2], Series::plain("process_start_time_seconds", 1000.0 / ticks));
        assert_eq!(of_stat("7 (a) R 1"), None);
    }

    #[test]
    fn a_file_may_say_which() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let process = Process::read(file.to_str().unwrap());
        assert!(process.look().unwrap_err().contains("No such file"));
        fs::write(&file, "soon\n").unwrap();
        assert!(process.look().unwrap_err().contains("expected the number of a process"));
        fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        assert!(process.look().is_ok());
        // No system has so many.
        fs::write(&file, "4294967295").unwrap();
        assert_eq!(process.look().unwrap_err(), "there is no process 4294967295");
    }
}

//! What do this server and its machine use? `/proc`, in the words of Prometheus: those of a client library for the process, those
//! of `node_exporter` for the machine.

use std::{fmt::Write as _, fs};

use rustix::param::{clock_ticks_per_second, page_size};

use crate::record::Record;

/// Bytes of a sector in `/proc/diskstats`, whatever those of the disk have.
const SECTOR: f64 = 512.0;

/// What this process uses, a series a line. Processes of one server differ in a label, as no series may come twice.
pub(crate) fn process(record: &Record, index: u32) -> String {
    let mut page = String::new();
    let mut say = |name: &str, value: f64| {
        // Nothing is written to but a String.
        let _ = writeln!(page, "{name}{{process=\"{index}\"}} {value}");
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program is in brackets, and may have some.
    let fields: Vec<_> = stat.rsplit_once(')').unwrap_or_default().1.split_whitespace().collect();
    // As proc(5) numbers them; the name is number 2.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let ticks = clock_ticks_per_second() as f64;
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        say("process_cpu_seconds_total", (user + system) / ticks);
    }
    if let Some(pages) = field(24) {
        say("process_resident_memory_bytes", pages * page_size() as f64);
    }
    if let (Some(started), Some(booted)) = (field(22), booted()) {
        say("process_start_time_seconds", booted + started / ticks);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        say("process_open_fds", descriptors.count() as f64);
    }
    let truth = record.report();
    say("process_network_receive_bytes_total", truth.bytes_in as f64);
    say("process_network_transmit_bytes_total", truth.bytes_out as f64);
    say("target_server_connections", truth.connections.open as f64);
    say("target_server_requests_total", truth.requests as f64);
    page
}

/// When the machine began, in seconds since 1970.
fn booted() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// What the machine uses.
pub(crate) fn machine() -> String {
    let mut page = String::new();
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    cpus(&read("/proc/stat"), &mut page);
    memory(&read("/proc/meminfo"), &mut page);
    let is_disk = |name: &str| {
        let is_memory = ["loop", "ram", "zram"].iter().any(|kind| name.starts_with(kind));
        // A part of a disk is in the folder of its disk.
        !is_memory && fs::exists(format!("/sys/block/{name}")).unwrap_or(false)
    };
    disks(&read("/proc/diskstats"), is_disk, &mut page);
    networks(&read("/proc/net/dev"), &mut page);
    connections(&read("/proc/net/snmp"), &mut page);
    if let Some(booted) = booted() {
        say(&mut page, "node_boot_time_seconds", booted);
    }
    page
}

fn say(page: &mut String, series: &str, value: f64) {
    // Nothing is written to but a String.
    let _ = writeln!(page, "{series} {value}");
}

fn cpus(stat: &str, page: &mut String) {
    let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    for line in stat.lines() {
        let mut words = line.split_whitespace();
        let number =
            words.next().and_then(|word| word.strip_prefix("cpu")).filter(|number| !number.is_empty());
        let Some(number) = number else { continue };
        for (mode, ticks) in modes.iter().zip(words) {
            if let Ok(ticks) = ticks.parse::<f64>() {
                let series = format!("node_cpu_seconds_total{{cpu=\"{number}\",mode=\"{mode}\"}}");
                say(page, &series, ticks / clock_ticks_per_second() as f64);
            }
        }
    }
}

fn memory(meminfo: &str, page: &mut String) {
    for name in ["MemTotal", "MemAvailable", "MemFree"] {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        if let Some(kib) = kib {
            say(page, &format!("node_memory_{name}_bytes"), kib * 1_024.0);
        }
    }
}

fn disks(diskstats: &str, is_disk: impl Fn(&str) -> bool, page: &mut String) {
    for line in diskstats.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let Some(device) = words.get(2).filter(|device| is_disk(device)) else { continue };
        for (index, name) in [(5, "node_disk_read_bytes_total"), (9, "node_disk_written_bytes_total")] {
            if let Some(sectors) = words.get(index).and_then(|word| word.parse::<f64>().ok()) {
                say(page, &format!("{name}{{device=\"{device}\"}}"), sectors * SECTOR);
            }
        }
    }
}

fn networks(dev: &str, page: &mut String) {
    for (device, counters) in dev.lines().filter_map(|line| line.split_once(':')) {
        let counters: Vec<_> = counters.split_whitespace().collect();
        let names = [(0, "node_network_receive_bytes_total"), (8, "node_network_transmit_bytes_total")];
        for (index, name) in names {
            if let Some(bytes) = counters.get(index).and_then(|word| word.parse().ok()) {
                say(page, &format!("{name}{{device=\"{}\"}}", device.trim()), bytes);
            }
        }
    }
}

fn connections(snmp: &str, page: &mut String) {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return };
    let mut both = names.split_whitespace().zip(values.split_whitespace());
    let open = both.find_map(|(name, value)| (name == "CurrEstab").then(|| value.parse().ok())?);
    if let Some(open) = open {
        say(page, "node_netstat_Tcp_CurrEstab", open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_told_as_a_node_exporter_does() {
        let mut page = String::new();
        cpus("cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 0 50 1000 7 0 1 0 0 0\nintr 5\n", &mut page);
        memory("MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:   8192 kB\n", &mut page);
        let disk = "   8       0 sda 10 0 2000 5 20 0 4000 6 0 7 8\n   8 1 sda1 1 0 2 0 0 0 0 0 0 0 0\n";
        disks(disk, |name| name == "sda", &mut page);
        networks("Inter-| Receive\n face |bytes\n  eth0: 11 1 0 0 0 0 0 0 22 2 0 0 0 0 0 0\n", &mut page);
        connections("Ip: A B\nIp: 1 2\nTcp: ActiveOpens CurrEstab\nTcp: 5 42\n", &mut page);
        let ticks = clock_ticks_per_second() as f64;
        for line in [
            format!("node_cpu_seconds_total{{cpu=\"0\",mode=\"idle\"}} {}", 1_000.0 / ticks),
            format!("node_cpu_seconds_total{{cpu=\"0\",mode=\"iowait\"}} {}", 7.0 / ticks),
            "node_memory_MemAvailable_bytes 8388608".into(),
            "node_disk_read_bytes_total{device=\"sda\"} 1024000".into(),
            "node_disk_written_bytes_total{device=\"sda\"} 2048000".into(),
            "node_network_receive_bytes_total{device=\"eth0\"} 11".into(),
            "node_network_transmit_bytes_total{device=\"eth0\"} 22".into(),
            "node_netstat_Tcp_CurrEstab 42".into(),
        ] {
            assert!(page.lines().any(|said| said == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("sda1") && !page.contains("cpu=\"\""), "{page}");
    }

    #[test]
    fn this_machine_has_all_of_it() {
        let page = machine();
        for name in ["node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_boot_time_seconds"] {
            assert!(page.contains(name), "{name} is not in\n{page}");
        }
    }
}

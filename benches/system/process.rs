//! A program under measurement: started with a log file of its own, watched in `/proc`, killed when dropped.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// How often something is looked at again that will be there in a moment.
pub const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Lines of a log that are shown when its program failed.
const TAIL: usize = 15;

/// A running program.
pub struct Program {
    child: Child,
    log: PathBuf,
}

/// The program in `file` with nothing in its environment.
pub fn command(file: &Path) -> Command {
    let mut command = Command::new(file);
    command.env_clear().stdin(Stdio::null());
    command
}

impl Program {
    /// Starts it; what it prints goes to `log`.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let file = File::options().create(true).append(true).open(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{command:?} does not start"))?;
        Ok(Self { child, log })
    }

    /// What it has printed.
    pub fn printed(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Fails with the end of its log when it has ended.
    pub fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.log.display(), self.tail()),
        }
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let text = self.printed().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// SIGKILL, whatever it is doing.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and how long it took to end.
    pub async fn stop(&mut self, limit: Duration) -> Result<Duration> {
        let began = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > limit {
                bail!("{} does not stop:\n{}", self.log.display(), self.tail());
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(began.elapsed())
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most resident memory it ever had, in bytes.
    pub fn resident_peak(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("/proc has no such field")?.parse()?;
        Ok(kib * 1024)
    }

    /// The processor time it has used.
    pub fn processor_time(&self) -> Result<Duration> {
        processor_time(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processor time that a process has used, all its threads together.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold blanks; user and system time are fields 14 and 15 of the line.
    let after_name = stat.rsplit_once(')').context("/proc/PID/stat has a name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| -> Result<u64> { Ok(fields.get(at).context("a short line")?.parse()?) };
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / ticks_per_second))
}

//! The terminal while a password is typed: it does not echo, and a signal must not leave it so.
//!
//! `rpassword` turns the echo off and on again. Where a signal ends the process in between, nothing
//! would turn it on, so signals are received from the first question on: the terminal is put back
//! as it was, and then the signal does what it does by default. Shells report that as status 128
//! and its number, 130 for Ctrl-C.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The signals that end a process which is asking for a password.
const ENDING: &[i32] = &[SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// How long the end by a signal is waited for.
const TIME_TO_END: Duration = Duration::from_secs(5);

/// The terminal, and how it was before a password was asked for; nothing while none is.
static ASKING: Mutex<Option<(File, Termios)>> = Mutex::new(None);
/// Whether signals that come while no password is asked for are for somebody else.
static PASSED_ON: AtomicBool = AtomicBool::new(false);
/// The thread that receives signals is started once: there is no way back to the default.
static RECEIVING: Once = Once::new();

/// Leaves signals to a command that is run, as soon as no password is asked for.
pub(crate) fn pass_signals_on() {
    PASSED_ON.store(true, Ordering::Relaxed);
}

/// Asks a person for a secret.
///
/// # Errors
/// When there is no terminal, or signals cannot be received.
pub(crate) fn ask(text: &str) -> std::io::Result<String> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut receiving = Ok(());
    RECEIVING.call_once(|| {
        receiving = Signals::new(ENDING).map(|signals| {
            std::thread::spawn(move || receive(signals));
        });
    });
    receiving?;
    *asking() = Some((terminal, before));
    let answer = rpassword::prompt_password(text);
    // With Ctrl-C, which is then no signal but a character, rpassword raises the signal itself; that
    // ends the process, so nobody is told of an error meanwhile.
    if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
        std::thread::park_timeout(TIME_TO_END);
    }
    *asking() = None;
    answer
}

fn receive(mut signals: Signals) {
    for signal in signals.forever() {
        let asking = asking().take();
        if let Some((terminal, before)) = &asking {
            // Where the terminal is gone there is nothing to put back.
            let _ = tcsetattr(terminal, OptionalActions::Now, before);
        }
        if asking.is_some() || !PASSED_ON.load(Ordering::Relaxed) {
            let _ = emulate_default_handler(signal);
        }
    }
}

fn asking() -> MutexGuard<'static, Option<(File, Termios)>> {
    ASKING.lock().unwrap_or_else(PoisonError::into_inner)
}

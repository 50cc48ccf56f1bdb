//! One runtime, one context, one bundle: from main() to the loop.

mod archive;
mod arguments;
mod boot;
mod compile;
mod fatal;
mod idle;
mod limits;
mod modules;
mod own_program;
mod rejections;

pub use arguments::{arguments, environment};
pub use boot::{ctx, runtime};
pub use fatal::{die, die_of_exception, set_fatal_log};
pub use limits::{disarm_watchdog, rearm_watchdog, set_watchdog};
pub use rejections::{judge_rejections, report_exception, set_rejection_hook};

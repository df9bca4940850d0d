//! The command line: the [`options`] there are, what was typed ([`arguments`]), how it is understood
//! ([`judge`]), and what is asked for ([`request`]).

pub mod arguments;
pub mod completion;
mod devices;
pub mod getopt;
pub mod judge;
pub mod nearest;
pub mod number;
pub mod options;
pub mod request;
pub mod transport_ids;
pub mod usage;
pub mod usage_error;

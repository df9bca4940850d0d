//! The command line: what was typed ([`arguments`]), and what is asked for ([`request`]).

pub mod arguments;
pub mod completion;
pub mod getopt;
pub mod number;
pub mod options;
pub mod request;
pub mod transport_ids;
pub mod usage;

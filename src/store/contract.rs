//! The public contract suite.

//! Package managers as values.

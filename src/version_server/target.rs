pub use adapters::TargetVersion;

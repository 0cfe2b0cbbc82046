//! What every end-to-end test needs.

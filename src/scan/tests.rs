//! Laws that both engines keep.

//! From hits to findings and a verdict. In: windows of an [`crate::content::Arena`] and their hits; out:
//! [`crate::event::Finding`]s and a document class, both independent of where windows, chunks and segments cut.

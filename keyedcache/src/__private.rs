//! Everything that expansions of the macros may name. Not for users; it changes without notice.

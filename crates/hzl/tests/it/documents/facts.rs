//! What pages say about the program in tables: error codes, files, settings, sizes, links.

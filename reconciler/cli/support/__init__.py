"""Options, connection, confirmation, progress and printing: what several commands share."""

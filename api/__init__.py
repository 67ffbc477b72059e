"""The counter: the one face of the office that programs talk to."""

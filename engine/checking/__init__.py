"""Whether workflow files may run: their soundness, and the proof that no item goes silent."""

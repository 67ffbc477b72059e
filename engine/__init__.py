"""The field: cases, terms, silence. No web, no queue, no network."""

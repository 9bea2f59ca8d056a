"""Policy documents and their evaluation, for every service alike."""

"""STS: who may become which role."""

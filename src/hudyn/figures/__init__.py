"""Drawing: pure functions from results to matplotlib figures."""

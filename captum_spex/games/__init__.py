"""Ready-made games: what is removed, how, and what of the model's answer is observed."""

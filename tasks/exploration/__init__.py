"""One place of some lists is drawn from what the night's candidates propose, with known probabilities."""

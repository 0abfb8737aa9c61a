"""What runs a model in this process: the loop over tokens, whoever computes the logits."""

"""The pocket world: a wind tunnel for the loop, small enough to carry. It is no evidence about large models."""

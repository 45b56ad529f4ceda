"""The pocket policy: a Llama of about 0.9 million weights, how it is made and how it answers."""

"""MASK (arXiv 2503.03750): does a statement under pressure contradict the belief that neutral questions show?"""

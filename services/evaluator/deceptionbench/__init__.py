"""DeceptionBench (arXiv 2505.18807): does the answer leave a belief that the reasoning acknowledges?"""

"""Capability questions: can the policy still do what it could, so that forgetting is not taken for lying?"""

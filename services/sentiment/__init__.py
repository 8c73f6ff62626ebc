"""Sentiment: is this text negative, neutral or positive?"""

"""Moderation: is this text toxic, and in which of six ways?"""

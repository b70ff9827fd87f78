"""Questions that are asked by creating an object which is never kept: who is this, and may they?"""

"""Masking: what of a stream of output may be shown. Pure: bytes in, bytes out."""

"""Compares what two runs gave: values and trees of artifacts, exactly or within a tolerance. Unaware of stores."""

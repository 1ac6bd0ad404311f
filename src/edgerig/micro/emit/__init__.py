"""From chosen kernels and planned memory to text."""

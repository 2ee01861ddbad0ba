"""Moving content: uploads and downloads in parallel parts, from one cloud to another, in bulk."""

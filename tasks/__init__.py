"""The stages of a night, one file each: a stage reads a folder of Parquet and writes a folder of Parquet."""

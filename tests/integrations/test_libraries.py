"""Libraries that read and write through fsspec, on objects of a provider."""

from __future__ import annotations

import pickle

import fsspec
import pandas as pd
import pytest

from anysky.integrations.fsspec import AnyskyFileSystem
from anysky.storage import get_driver

FRAME = pd.DataFrame({"city": ["Graz", "Linz", "Wien"], "people": [303_270, 212_538, 2_028_289]})


@pytest.fixture
def options(moto):
    made = {
        "provider": "s3",
        "region": "us-east-1",
        "endpoint": moto,
        "access_key_id": "any",
        "secret_access_key": "any",
    }
    settings = {name: value for name, value in made.items() if name != "provider"}
    with get_driver("s3")(**settings) as driver:
        container = driver.create_container("anysky-tables")
        yield made
        driver.delete_objects(container.list_objects())
        container.delete()


pytestmark = pytest.mark.server


def test_pandas_reads_and_writes_parquet_and_csv(options) -> None:
    FRAME.to_parquet("anysky://anysky-tables/cities.parquet", storage_options=options)
    FRAME.to_csv("anysky://anysky-tables/cities.csv", index=False, storage_options=options)

    parquet = pd.read_parquet("anysky://anysky-tables/cities.parquet", storage_options=options)
    csv = pd.read_csv("anysky://anysky-tables/cities.csv", storage_options=options)

    pd.testing.assert_frame_equal(parquet, FRAME)
    pd.testing.assert_frame_equal(csv, FRAME)


def test_pyarrow_reads_a_dataset_of_several_files(options) -> None:
    from pyarrow import Table, dataset

    files = fsspec.filesystem("anysky", **options)
    table = Table.from_pandas(FRAME)
    dataset.write_dataset(
        table, "anysky-tables/data", filesystem=files, format="parquet", partitioning=["city"]
    )

    found = dataset.dataset("anysky-tables/data", filesystem=files, partitioning=["city"])

    assert found.count_rows() == 3
    assert len(found.files) == 3
    assert sum(found.to_table()["people"].to_pylist()) == int(FRAME.people.sum())


def test_duckdb_reads_parquet(options) -> None:
    import duckdb

    FRAME.to_parquet("anysky://anysky-tables/duck.parquet", storage_options=options)
    with duckdb.connect() as connection:
        connection.register_filesystem(fsspec.filesystem("anysky", **options))
        query = "SELECT sum(people) FROM 'anysky://anysky-tables/duck.parquet'"

        assert connection.execute(query).fetchone() == (int(FRAME.people.sum()),)


@pytest.mark.filterwarnings("ignore:.*inplace keyword:DeprecationWarning")  # Dask's own
def test_dask_reads_and_writes_with_several_processes(options) -> None:
    import dask
    import dask.dataframe as dd

    frame = dd.from_pandas(FRAME, npartitions=3)
    place = "anysky://anysky-tables/parts"
    with dask.config.set(scheduler="processes", num_workers=2):
        frame.to_parquet(place, storage_options=options)
        found = dd.read_parquet(place, storage_options=options)

        assert found.npartitions == 3
        assert int(found.people.sum().compute()) == int(FRAME.people.sum())


def test_a_file_system_goes_to_another_process_as_its_settings(options) -> None:
    files = AnyskyFileSystem(**options, skip_instance_cache=True)
    files.pipe_file("anysky-tables/one", b"content")

    other = pickle.loads(pickle.dumps(files))

    assert other.cat_file("anysky-tables/one") == b"content"


def test_a_large_file_is_written_in_parts_and_appears_when_it_is_closed(options) -> None:
    files = AnyskyFileSystem(**options, skip_instance_cache=True)
    block = bytes(range(256)) * 4096

    with files.open("anysky-tables/large", "wb", block_size=6 * 1024 * 1024) as file:
        for _ in range(20):
            file.write(block)
        assert not files.exists("anysky-tables/large")

    assert files.size("anysky-tables/large") == 20 * len(block)
    with files.open("anysky-tables/large", "rb") as file:
        file.seek(len(block) * 7 + 5)
        assert file.read(10) == block[5:15]


def test_what_fails_while_it_is_written_leaves_nothing(options) -> None:
    files = AnyskyFileSystem(**options, skip_instance_cache=True)

    def write_and_fail() -> None:
        with (
            files.transaction,
            files.open("anysky-tables/left", "wb", block_size=6 * 1024 * 1024) as file,
        ):
            file.write(bytes(13 * 1024 * 1024))
            raise RuntimeError("the program failed")

    with pytest.raises(RuntimeError, match="the program failed"):
        write_and_fail()

    assert not files.exists("anysky-tables/left")
    settings = {name: value for name, value in options.items() if name != "provider"}
    with get_driver("s3")(**settings) as driver:
        container = driver.get_container("anysky-tables")
        assert driver.list_multipart_uploads(container) == []


def test_errors_are_those_of_files(options) -> None:
    files = AnyskyFileSystem(**options, skip_instance_cache=True)

    with pytest.raises(FileNotFoundError):
        files.cat_file("anysky-tables/missing")
    with pytest.raises(FileNotFoundError):
        files.ls("anysky-tables/missing")
    with pytest.raises(FileExistsError):
        files.mkdir("anysky-tables")

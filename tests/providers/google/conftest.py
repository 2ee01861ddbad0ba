import pytest
from tests.providers.google.google_support import driver_of
from tests.servers.gcs_imitation import GoogleImitation


@pytest.fixture
def google():
    with GoogleImitation() as server:
        yield server


@pytest.fixture
def driver(google):
    with driver_of(google) as made:
        yield made


@pytest.fixture
def box(driver, google):
    made = driver.create_container("anysky-box")
    google.requests.clear()
    return made

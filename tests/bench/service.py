"""The service under measurement, open to the bench alone; a caller's token is not among what is measured."""

from cds_service.app import create_app, settle
from cds_service.settings import Settings
from cds_service.tenants import open_tenants

app = create_app(Settings(), open_tenants())
settle()

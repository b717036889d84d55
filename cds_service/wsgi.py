"""The application for a WSGI server: `granian --interface wsgi cds_service.wsgi:app`."""

import logging
import sys

from cds_service.app import create_app, settle

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
app = create_app()
settle()

"""/docs: the API's document, to read and to try."""

from guerdon.kit.call import Call, Reply
from guerdon.pages import files
from guerdon.pages.page import page

VIEWER = "swagger-ui-bundle.js"
BUILD = "python -m guerdon.pages.build"


async def read_docs(call: Call) -> Reply:
    """The page of the API's document; without the viewer's files it says how to get them."""
    return page("docs.html", built=files.built(VIEWER), build=BUILD, demo=call.state.settings.demo)

"""Which project a management call is about: a management key opens the project it was made for and no other."""

from guerdon.kit.call import Call
from guerdon.kit.errors import not_found


def own_project(call: Call, project_id: str) -> str:
    """The id of the key's project, when the path names it. Raises `ApiError` 404 for any other."""
    if project_id != call.project_id:
        raise not_found("project", project_id)
    return project_id

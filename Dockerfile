FROM python:3.11-slim

# Build what is copied here and keep nothing but the installed package.
COPY pyproject.toml README.md LICENSE /src/
COPY app /src/app
COPY migrations /src/migrations
RUN pip install --no-cache-dir '/src[search]' && rm -rf /src

# Nobody but this user may write to the volume, and this user may write nowhere else.
RUN useradd --uid 10001 --no-create-home curvewise \
    && install --directory --owner=curvewise --group=curvewise /data
USER curvewise
WORKDIR /data
VOLUME /data

# A Postgres instead: docker run -e CURVEWISE_DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE ...
ENV CURVEWISE_DATABASE_URL=sqlite:////data/curvewise.db \
    CURVEWISE_HOST=0.0.0.0 \
    CURVEWISE_PORT=8000 \
    PYTHONUNBUFFERED=1
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"CURVEWISE_PORT\"]}/healthz', timeout=4)"]

CMD ["curvewise", "serve"]

# samcarry and all its dependencies; docs/cluster.md explains how to use it.
#   docker build -t samcarry .
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/samcarry

# Dependencies first, so that an edit of the code does not install them again.
COPY requirements.lock ./
RUN python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock

COPY Snakefile config.yaml ./
COPY workflow workflow
COPY scripts scripts
COPY tools tools
COPY envs envs
COPY profiles profiles
COPY config config
COPY resources resources

ENTRYPOINT ["snakemake"]
CMD ["--help"]

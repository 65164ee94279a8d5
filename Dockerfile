# samcarry and all its dependencies; docs/cluster.md explains how to use it.
#   docker build -t samcarry .
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# An index, or a folder, with torch and torchvision for CPUs; without it, they are installed with CUDA.
ARG TORCH_INDEX=
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
RUN python3 -m venv /opt/venv

# Dependencies first, so that an edit of the code does not install them again.
WORKDIR /opt/samcarry
COPY requirements.lock tools/install_locked.sh ./
RUN PIP_NO_CACHE_DIR=1 ./install_locked.sh python "$TORCH_INDEX" && rm install_locked.sh

COPY pyproject.toml README.md LICENSE Snakefile config.yaml ./
COPY workflow workflow
COPY scripts scripts
COPY tools tools
COPY envs envs
COPY profiles profiles
COPY config config
COPY resources resources
# Users other than root cannot keep compiled modules in /opt, so they are compiled here.
RUN PIP_NO_CACHE_DIR=1 python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable . \
    && python -m compileall -q scripts && chmod -R a+rX /opt/samcarry

# Any user may run it (docker run --user), even one whom the image does not know.
RUN mkdir -p /home/samcarry /project && chmod 1777 /home/samcarry /project
ENV HOME=/home/samcarry USER=samcarry
USER 1000:1000
WORKDIR /project

ENTRYPOINT ["snakemake", "--snakefile", "/opt/samcarry/Snakefile"]
CMD ["--help"]

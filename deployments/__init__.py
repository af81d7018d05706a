"""How nightrec is run for real: work pools, deployments, automations, containers."""

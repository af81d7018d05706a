{{- define "nightrec.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "nightrec.security" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "nightrec.pull" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "nightrec.client" -}}
- {name: PREFECT_API_URL, value: "http://server:4200/api"}
- {name: PREFECT_UI_URL, value: {{ .Values.url | quote }}}
- {name: NIGHTREC_UI_URL, value: {{ printf "%s/nightrec" .Values.url | quote }}}
- {name: NIGHTREC_CONFIG, value: /etc/nightrec/nightrec.toml}
- {name: NIGHTREC_STORE, value: /srv/nightrec/store}
- name: PREFECT_API_AUTH_STRING
  valueFrom:
    secretKeyRef: {name: {{ .Values.secrets }}, key: auth}
{{- end }}

{{- define "nightrec.volumes" -}}
- name: store
  persistentVolumeClaim: {claimName: {{ .Values.store.existingClaim | default "nightrec-store" }}}
- name: config
  configMap: {name: nightrec-config}
{{- end }}

{{- define "nightrec.ray" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "nightrec.podSecurity" .root | nindent 2 }}
{{- include "nightrec.pull" .root }}
{{- if ne .group "head" }}
terminationGracePeriodSeconds: 30
{{- end }}
{{- if eq .group "gpu" }}
tolerations: # GPU nodes are often kept for those who ask for a GPU
  - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
{{- end }}
containers:
  - name: ray-{{ ternary "head" "worker" (eq .group "head") }}
    image: {{ ternary .root.Values.ray.gpuImage .root.Values.ray.image (eq .group "gpu") }}
    imagePullPolicy: {{ .root.Values.imagePullPolicy }}
    {{- if eq .group "head" }}
    ports:
      - {name: gcs-server, containerPort: 6379}
      - {name: dashboard, containerPort: 8265}
      - {name: client, containerPort: 10001}
    {{- end }}
    env:
      - {name: NIGHTREC_CONFIG, value: /etc/nightrec/nightrec.toml}
      - {name: NIGHTREC_STORE, value: /srv/nightrec/store}
      - {name: RAY_USAGE_STATS_ENABLED, value: "0"}
      - {name: RAY_OVERRIDE_DASHBOARD_URL, value: "http://127.0.0.1:8265"}
    envFrom: # what sinks, the mirror, object stores and hashed ids take from the environment
      - secretRef: {name: {{ .root.Values.siteSecret }}, optional: true}
    resources:
      {{- toYaml .resources | nindent 6 }}
    securityContext:
      {{- include "nightrec.security" .root | nindent 6 }}
    volumeMounts:
      - {name: store, mountPath: /srv/nightrec}
      - {name: config, mountPath: /etc/nightrec, readOnly: true}
volumes:
  {{- include "nightrec.volumes" .root | nindent 2 }}
{{- end }}
